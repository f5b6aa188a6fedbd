CREATE OR REPLACE FUNCTION lead_protection.hold_details(hold lead_protection.lead_holds)
RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN jsonb_build_object(
    'hold_id', hold_details.hold.id,
    'hold_start_at', lead_protection.instant_text(hold_details.hold.start_at),
    'hold_end_at', lead_protection.instant_text(hold_details.hold.end_at)
);

COMMENT ON FUNCTION lead_protection.hold_details(lead_protection.lead_holds) IS
'What the log and an event say about a hold: its number, start and end. Internal.';
