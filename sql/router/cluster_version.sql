-- A row and no sequence: whoever sees the new number must see what it stands for.
CREATE TABLE IF NOT EXISTS lead_protection_router.cluster_version (
    only_row boolean CONSTRAINT cluster_version_pkey PRIMARY KEY DEFAULT true
    CONSTRAINT cluster_version_one CHECK (only_row),
    version integer NOT NULL
);

COMMENT ON TABLE lead_protection_router.cluster_version IS
'One row: the number that PL/Proxy compares at each call, and which grows whenever a node is added or repointed.';
COMMENT ON COLUMN lead_protection_router.cluster_version.only_row IS 'True.';
COMMENT ON COLUMN lead_protection_router.cluster_version.version IS 'The number.';

INSERT INTO lead_protection_router.cluster_version AS c (version) VALUES (1)
ON CONFLICT (only_row) DO UPDATE SET version = c.version + 1;

CREATE OR REPLACE FUNCTION lead_protection_router.count_cluster_version()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE lead_protection_router.cluster_version SET version = version + 1;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION lead_protection_router.count_cluster_version() IS
'Trigger: lets the sessions that are open read the nodes anew.';

CREATE OR REPLACE TRIGGER count_cluster_version
AFTER INSERT OR UPDATE OR DELETE ON lead_protection_router.nodes
FOR EACH STATEMENT EXECUTE FUNCTION lead_protection_router.count_cluster_version();
