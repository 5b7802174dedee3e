"""When Whisper itself is in doubt of what it heard: halfway to the thresholds by which it would throw it away.

Those are 0.6 for the probability that nobody speaks and -1 for the mean log-probability (whisper/transcribe.py). Speech
that is understood seldom is beyond 0.3 or -0.5.
"""

from harvest.records import Segment

NO_SPEECH = 0.4
LOGPROB = -0.7


def in_doubt(segment: Segment) -> bool:
    return segment.no_speech_prob > NO_SPEECH or segment.avg_logprob < LOGPROB
