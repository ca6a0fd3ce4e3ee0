"""Who runs the blocks never changes them."""

from __future__ import annotations

from threadpoolctl import threadpool_info

from bayesdl.infer.executors import one_blas_thread, threads


def test_threads_take_one_blas_thread_each_and_give_it_back() -> None:
    before = [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]
    with threads(2) as crowd:
        inside = crowd.pool.submit(threadpool_info).result()
        assert all(p["num_threads"] == 1 for p in inside if p["user_api"] == "blas")
    assert before == [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]
    with one_blas_thread():
        assert all(p["num_threads"] == 1 for p in threadpool_info() if p["user_api"] == "blas")
