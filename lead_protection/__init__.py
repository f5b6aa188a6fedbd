"""Lead Protection: the command line that installs the SQL. The system itself is the SQL."""

__version__ = "0.4.0"
