CREATE OR REPLACE FUNCTION lead_protection_router.require_agreement()
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found text;
BEGIN
    -- One at a time, to the end of the transaction.
    PERFORM pg_advisory_xact_lock('lead_protection_router.nodes'::regclass::integer, 0);
    SELECT string_agg(format('%s (%s)', n.node_name, array_to_string(n.differs, ', ')), '; ') INTO found
    FROM lead_protection_router.nodes_out_of_step() AS n;
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'the nodes do not agree'
            USING ERRCODE = 'LP131',
            DETAIL = format('Other than on the first node: %s.', found),
            HINT = 'SELECT * FROM lead_protection_router.bring_in_step() gives all of them what the first node has. '
            'Where the code differs, apply the same version on all, and lead-protection router apply.';
    END IF;
END;
$$;

COMMENT ON FUNCTION lead_protection_router.require_agreement() IS
'Raises LP131 unless all nodes have the same terms and the same version, LP130 or an error of PL/Proxy if one does not '
'answer. Whoever else changes terms through this router waits for the end of the transaction.';
