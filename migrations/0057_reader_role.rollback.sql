-- The role stays, like those of 0001: it belongs to the whole server. yoyo wants a statement, and shows what one
-- selects.
DO $$ BEGIN END $$;
