"""`python -m lead_protection` is the command `lead-protection`."""

from lead_protection.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
