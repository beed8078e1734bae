"""BLAS at one thread, and back."""

from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_info

from skser._blas import one_blas_thread


def n_threads():
    return [
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    ]


def test_one_thread_inside_and_the_old_number_outside():
    before = n_threads()
    with one_blas_thread():
        assert set(n_threads()) == {1}
    assert n_threads() == before


def test_threads_that_want_it_at_the_same_time_give_the_old_number_back():
    def inside(_):
        with one_blas_thread():
            return set(n_threads())

    before = n_threads()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(inside, range(20))) == [{1}] * 20
    assert n_threads() == before
