-- What it made anew says the same as before.
DO $$ BEGIN END $$;
