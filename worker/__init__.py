"""The Celery app: claim a step, run it in a child process, keep its lease, record what came of it.

The Celery processes import neither torch nor anything that does. All computing happens in
``python -m gan_core run``, one fresh process a step.
"""
