"""What Superset needs to know to run from an empty directory, by itself, for the length of a test."""

import os

SECRET_KEY = os.environ["TIDEMARK_SUPERSET_SECRET"]
SQLALCHEMY_DATABASE_URI = "sqlite:///" + os.path.join(os.environ["SUPERSET_HOME"], "superset.db")
TALISMAN_ENABLED = False  # no TLS on the loopback interface
RATELIMIT_ENABLED = False  # it would count in memory, for one browser
