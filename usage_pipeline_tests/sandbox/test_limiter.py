import numpy as np

from usage_pipeline.sandbox.limiter import ADMITTED, RESERVATION, RPM, TPM, Calls, Limiter, limit

SECOND = 1000
MINUTE = 60 * SECOND


def calls(*rows: tuple[int, int, int, int]) -> Calls:
    """Rows of time in ms, reserved tokens, settled tokens, latency in ms."""
    columns = np.array(rows, dtype=np.int64).T
    return Calls(*columns)


def no_retries(count: int) -> np.ndarray:
    return np.empty((count, 0))


def test_a_full_minute_of_quota_is_there_at_the_start():
    limiter = Limiter(tpm_limit=6000, rpm_limit=None)
    assert limiter.admit(0, reserved=6000, settled=6000, latency=1) == ADMITTED
    assert limiter.admit(0, reserved=1, settled=1, latency=1) == TPM


def test_tokens_come_back_at_a_sixtieth_of_the_quota_per_second():
    limiter = Limiter(tpm_limit=6000, rpm_limit=None)
    limiter.admit(0, reserved=6000, settled=6000, latency=1)
    assert limiter.admit(1 * SECOND, reserved=101, settled=101, latency=1) == TPM
    assert limiter.admit(1 * SECOND, reserved=100, settled=100, latency=1) == ADMITTED


def test_the_unused_part_of_a_reservation_comes_back_when_the_answer_ends():
    limiter = Limiter(tpm_limit=6000, rpm_limit=None)
    limiter.admit(0, reserved=6000, settled=1000, latency=10)
    assert limiter.admit(9, reserved=1000, settled=1000, latency=1) == RESERVATION
    assert limiter.admit(10, reserved=5000, settled=1000, latency=1) == ADMITTED


def test_an_answer_longer_than_its_reservation_is_paid_for_later():
    limiter = Limiter(tpm_limit=6000, rpm_limit=None)
    limiter.admit(0, reserved=1000, settled=9000, latency=10)
    assert limiter.admit(11, reserved=1, settled=1, latency=1) == TPM
    assert limiter.admit(31 * SECOND, reserved=1, settled=1, latency=1) == ADMITTED


def test_a_request_that_reserves_more_than_the_whole_quota_is_always_throttled():
    limiter = Limiter(tpm_limit=6000, rpm_limit=None)
    assert [limiter.admit(ts * MINUTE, 6001, 500, 1) for ts in range(3)] == [RESERVATION] * 3


def test_the_bucket_never_holds_more_than_one_minute():
    limiter = Limiter(tpm_limit=6000, rpm_limit=None)
    assert limiter.admit(60 * MINUTE, reserved=6001, settled=6001, latency=1) == TPM


def test_requests_have_a_bucket_of_their_own():
    limiter = Limiter(tpm_limit=6000, rpm_limit=2)
    answers = [limiter.admit(ts, reserved=1, settled=1, latency=1) for ts in (0, 0, 0, 30 * SECOND)]
    assert answers == [ADMITTED, ADMITTED, RPM, ADMITTED]


def test_a_throttled_request_takes_no_quota():
    limiter = Limiter(tpm_limit=6000, rpm_limit=2)
    limiter.admit(0, reserved=6000, settled=6000, latency=1)
    assert limiter.admit(0, reserved=1, settled=1, latency=1) == TPM
    assert limiter.admit(1 * SECOND, reserved=100, settled=100, latency=1) == ADMITTED
    assert limiter.admit(2 * SECOND, reserved=100, settled=100, latency=1) == RPM


def test_a_throttled_call_is_sent_again_after_a_growing_wait_until_it_is_lost():
    attempts = limit(
        calls((0, 6000, 6000, 1), (10, 6001, 6001, 1)),
        Limiter(tpm_limit=6000, rpm_limit=None),
        waits=np.array([[0.5, 0.5], [0.5, 0.25]]),
    )
    assert attempts.call.tolist() == [0, 1, 1, 1]
    assert attempts.attempt.tolist() == [1, 1, 2, 3]
    assert attempts.ts.tolist() == [0, 10, 510, 1010]
    assert attempts.cause.tolist() == [ADMITTED, TPM, TPM, TPM]


def test_a_retry_that_is_admitted_ends_the_call():
    attempts = limit(
        calls((0, 6000, 6000, 1), (10, 50, 50, 1)),
        Limiter(tpm_limit=6000, rpm_limit=None),
        waits=np.array([[0.9, 0.9], [0.9, 0.9]]),
    )
    assert attempts.cause.tolist() == [ADMITTED, TPM, ADMITTED]
    assert attempts.ts.tolist() == [0, 10, 910]


def test_attempts_are_in_the_order_of_time():
    attempts = limit(
        calls((0, 6000, 6000, 1), (10, 1000, 1000, 1), (20, 1000, 1000, 1)),
        Limiter(tpm_limit=6000, rpm_limit=None),
        waits=np.full((3, 2), 0.5),
    )
    assert attempts.ts.tolist() == sorted(attempts.ts.tolist())


def test_no_calls_make_no_attempts():
    none = Calls(*(np.empty(0, np.int64) for _ in range(4)))
    assert len(limit(none, Limiter(6000, 10), no_retries(0)).ts) == 0
