-- Takes everything with it. The group roles stay: other databases of the server may use them.
DROP SCHEMA lead_protection CASCADE;
