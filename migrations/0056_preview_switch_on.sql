-- It names leads now. It is made again by the load.
-- depends: 0055_one_way_of_following
-- squawk-ignore ban-drop-function
DROP FUNCTION IF EXISTS lead_protection.preview_switch_on();
