"""What lasts, shared by the API and the workers: settings, tables, queries, files, the doorbell.

Nothing here commits but ``store.database.Database.write``, on leaving its block.
"""
