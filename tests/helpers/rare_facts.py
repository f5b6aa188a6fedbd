"""What chance seldom finds, and once was wrong or is easily made so."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from helpers.model import Hold, Lead, Policy, Reminder, Version

BEGUN = datetime(2025, 1, 15, 9, tzinfo=UTC)
SATURDAY = datetime(2025, 1, 19, 9, tzinfo=UTC)
BY_DAYS = Policy(period_end="end_of_day", calendar="DE-NW", expiry_on="working_day", remind_on="working_day")
# By the day, and when a reminder of the standard time, or of the latest, falls due.
RARE_LOOKS = sorted(
    [datetime(2025, 9, 1, tzinfo=UTC) + timedelta(days=days) for days in range(60)]
    + [datetime(2025, 9, 13, hour, tzinfo=UTC) for hour in (6, 21)]
)
RARE = {
    # Each policy has its own grace days. The last brings back the first window, which was reminded of, with a later due
    # instant; a reminder of another window came between.
    "a window that comes back": Lead(
        versions=(
            Version(7, Policy(extension_days=55, grace_days=15), BEGUN, None, datetime(2025, 9, 9, tzinfo=UTC)),
            Version(7, Policy(grace_days=30), BEGUN, None, datetime(2025, 9, 14, tzinfo=UTC)),
            Version(7, Policy(extension_days=65, grace_days=5), BEGUN),
        ),
        reminders=(
            Reminder(7, datetime(2025, 9, 8, 6, tzinfo=UTC), date(2025, 9, 23)),
            Reminder(7, datetime(2025, 9, 13, 6, tzinfo=UTC), date(2025, 10, 13)),
        ),
    ),
    "an open hold that takes over from a planned one": Lead(
        versions=(Version(7, Policy(), BEGUN),),
        holds=(
            Hold(7, datetime(2025, 9, 18, 8, tzinfo=UTC), datetime(2025, 10, 3, 8, tzinfo=UTC)),
            Hold(7, datetime(2025, 10, 3, 8, tzinfo=UTC), None),
        ),
    ),
    # By its terms the protection ends on Saturday, 27 September 2025; by the calendar on Monday.
    "a hold that begins on a day that the calendar added": Lead(
        versions=(Version(7, replace(BY_DAYS, hold_unit="day"), SATURDAY),),
        holds=(Hold(7, datetime(2025, 9, 29, 8, tzinfo=UTC), datetime(2025, 10, 2, 8, tzinfo=UTC)),),
    ),
    "a hold that ends the day after": Lead(
        versions=(Version(7, replace(BY_DAYS, hold_unit="day"), SATURDAY),),
        holds=(Hold(7, datetime(2025, 9, 29, 8, tzinfo=UTC), datetime(2025, 9, 30, 8, tzinfo=UTC)),),
    ),
    "a hold that begins on the Saturday itself": Lead(
        versions=(Version(7, replace(BY_DAYS, hold_unit="day"), SATURDAY),),
        holds=(Hold(7, datetime(2025, 9, 27, 4, tzinfo=UTC), datetime(2025, 9, 30, 8, tzinfo=UTC)),),
    ),
    "a hold by the time elapsed that begins on such a day": Lead(
        versions=(Version(7, BY_DAYS, SATURDAY),),
        holds=(Hold(7, datetime(2025, 9, 29, 8, tzinfo=UTC), datetime(2025, 10, 2, 8, tzinfo=UTC)),),
    ),
    "two holds on one day": Lead(
        versions=(Version(7, replace(BY_DAYS, hold_unit="day"), BEGUN),),
        holds=(
            Hold(7, datetime(2025, 9, 3, 8, tzinfo=UTC), datetime(2025, 9, 5, 8, tzinfo=UTC)),
            Hold(7, datetime(2025, 9, 5, 12, tzinfo=UTC), datetime(2025, 9, 8, 12, tzinfo=UTC)),
            # And one on the next.
            Hold(7, datetime(2025, 9, 9, 8, tzinfo=UTC), datetime(2025, 9, 10, 8, tzinfo=UTC)),
        ),
    ),
    "an open hold that counts by days": Lead(
        versions=(Version(7, Policy(hold_unit="day"), BEGUN),),
        holds=(Hold(7, datetime(2025, 9, 3, 8, tzinfo=UTC), None),),
    ),
    "a hold that begins in the evening of the last day": Lead(
        versions=(Version(7, Policy(period_end="end_of_day"), BEGUN),),
        holds=(Hold(7, datetime(2025, 9, 23, 20, tzinfo=UTC), datetime(2025, 9, 24, 6, tzinfo=UTC)),),
    ),
    "a hold that begins at the very minute of the last day": Lead(
        versions=(Version(7, Policy(period_end="end_of_day"), BEGUN),),
        holds=(Hold(7, datetime(2025, 9, 23, 8, tzinfo=UTC), datetime(2025, 9, 24, 14, tzinfo=UTC)),),
    ),
    "a notice that is owed, later in the day than the protection ends": Lead(
        versions=(Version(7, Policy(notice_required=True, reminder_time=time(23, 0)), BEGUN),),
    ),
    "a notice that is given while an open hold lasts": Lead(
        versions=(Version(7, Policy(notice_required=True), BEGUN),),
        holds=(Hold(7, datetime(2025, 9, 10, 8, tzinfo=UTC), None),),
        reminders=(Reminder(7, datetime(2025, 9, 20, 6, tzinfo=UTC), date(2025, 9, 23)),),
    ),
    "a hold that begins when the protection ends": Lead(
        versions=(Version(7, Policy(), BEGUN),),
        holds=(Hold(7, datetime(2025, 9, 23, 8, tzinfo=UTC), datetime(2025, 9, 25, 8, tzinfo=UTC)),),
    ),
    "a notice that arrives late, on a Sunday": Lead(
        versions=(
            Version(7, replace(BY_DAYS, notice_required=True, notice_counts_from="delivered_working_day"), BEGUN),
        ),
        reminders=(
            Reminder(7, datetime(2025, 9, 12, 6, tzinfo=UTC), date(2025, 9, 23), datetime(2025, 9, 21, 6, tzinfo=UTC)),
        ),
    ),
    "a notice that another system sent": Lead(
        versions=(Version(7, Policy(notice_required=True, notice_counts_from="delivered"), BEGUN),),
        reminders=(Reminder(7, datetime(2025, 9, 20, 6, tzinfo=UTC), date(2025, 9, 23), adopted=True),),
    ),
    "a hold while a notice is owed": Lead(
        versions=(Version(7, Policy(notice_required=True), BEGUN),),
        holds=(Hold(7, datetime(2025, 10, 1, 8, tzinfo=UTC), None),),
    ),
}
