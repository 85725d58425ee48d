"""Whether two clocks agree, told by the Date header of an answer (RFC 9110, section 6.6.1)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from gateway.management.doctor.finding import Finding

# A header has whole seconds, and takes some time to come.
LARGEST_SKEW_SECONDS = 5.0
MEND = "Have the clock set by the network: `sudo timedatectl set-ntp true`."


def judge_clock(date: str, now: float, whose: str) -> Finding:
    """`now` is this machine's time, in seconds since 1970, when the answer came."""
    try:
        skew = now - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return Finding("clock", "skipped", f"{whose} does not say what time it is.")
    if abs(skew) <= LARGEST_SKEW_SECONDS:
        return Finding("clock", "ok", f"It agrees with {whose}'s.")
    way = "ahead of" if skew > 0 else "behind"
    said = f"It is {abs(skew):.0f} s {way} {whose}'s. Storage refuses signatures that are 15 minutes off."
    return Finding("clock", "warning", said, MEND)
