"""The HTTP front end. Starts in a second, because it imports neither torch nor numpy."""
