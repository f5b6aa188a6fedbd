"""Load sql/ after a plain `yoyo apply`, which then leaves the same system as `lead-protection apply`.

yoyo runs this only when a migration was pending. The command line does without: it always loads sql/.
"""

import sys
from pathlib import Path

from yoyo import step

# This file's own tree, not an installed package: migrations and sql/ must be of one version.
HOME = Path(__file__).resolve().parent.parent

try:
    from lead_protection import installer
except ImportError:  # a checkout that was not installed
    sys.path.insert(0, str(HOME))
    from lead_protection import installer

step(lambda connection: installer.load_code_after_yoyo(connection, HOME))
