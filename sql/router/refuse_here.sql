CREATE OR REPLACE FUNCTION lead_protection_router.refuse_here(function_name text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION '%() is not for a router', refuse_here.function_name
        USING ERRCODE = 'LP132',
        DETAIL = 'It is about one node: its jobs, its adopted tables, its log, or a page of leads that are all there.',
        HINT = 'Call it on the node: SELECT node_name, connection FROM lead_protection_router.nodes.';
END;
$$;

COMMENT ON FUNCTION lead_protection_router.refuse_here(text) IS
'Raises LP132: a call that only a node can answer.';
