#!/usr/bin/env python3
"""The problem of bench_confidence.c in SciPy and scikit-learn, as peers to compare with.

    confidence_peer.py BENCH [THREADS]     BENCH is the built bench_confidence

Runs the benchmark, reads the very problem that it solved, and solves it again in double precision:
  fit       scikit-learn's LogisticRegression (lbfgs, newton-cholesky) and SciPy's L-BFGS-B
  beta      one fixed beta: SciPy's L-BFGS-B, and Newton's method in NumPy (a fresh Hessian and Cholesky factor a step)
  interval  both ends of the gap: a bracketing root finder (SciPy's brentq) on log beta over that Newton's method
Answers must agree; lines are `NAME: pbkd N ms, PEER N ms, ratio`. Where NumPy or SciPy is not installed it says so and ends
well: the comparison is for those who have them. The norm bound is inactive in this problem, so the peers go without it.
"""
import os
import subprocess
import sys
import tempfile
import time

threads = sys.argv[2] if len(sys.argv) > 2 else "0"
if threads != "0":  # before NumPy loads its BLAS
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = threads
try:
    import numpy as np
    import scipy.linalg
    import scipy.optimize
    from scipy.special import expit
except ImportError:
    print("NumPy and SciPy are not installed: no peer figure")
    sys.exit(0)


class Problem:
    def __init__(self, path):
        raw = open(path, "rb").read()
        n, d, self.zeta, self.bound, self.ridge, self.loss_hat, self.low, self.high, self.beta = np.frombuffer(raw, "<f8", 9)
        n, d = int(n), int(d)
        at = 9 * 8
        self.w0 = np.frombuffer(raw, "<f8", d, at)
        self.g = np.frombuffer(raw, "<f8", d, at + 8 * d)
        self.o = np.frombuffer(raw, "<f8", n, at + 16 * d)
        self.f = np.frombuffer(raw, "<f4", n * d, at + 16 * d + 8 * n).reshape(n, d).astype(np.float64)

    def loss(self, w):
        """L and its gradient."""
        z = self.f @ w
        value = np.mean(np.logaddexp(0, z) - self.o * z)
        return value, self.f.T @ (expit(z) - self.o) / len(z)

    def hessian(self, w):
        p = expit(self.f @ w)
        rooted = self.f * np.sqrt(p * (1 - p) / len(p))[:, None]
        return rooted.T @ rooted

    def goal(self, w, beta, g, ridge=0.0):
        value, gradient = self.loss(w)
        u = w - self.w0
        return beta * value - g @ w + 0.5 * ridge * u @ u, beta * gradient - g + ridge * u


def newton(p, w, beta, g, ridge=0.0):
    value, slope = p.goal(w, beta, g, ridge)
    for _ in range(100):
        if np.linalg.norm(slope) <= 1e-11 * max(np.linalg.norm(g), 1e-3 * beta):
            break
        h = beta * p.hessian(w) + ridge * np.eye(len(w))
        step = -scipy.linalg.cho_solve(scipy.linalg.cho_factor(h, lower=True), slope)
        t = 1.0
        while True:
            trial, trial_slope = p.goal(w + t * step, beta, g, ridge)
            if trial <= value + 1e-4 * t * (slope @ step) + 1e-13 * abs(value) or t < 1e-9:
                break
            t *= 0.5
        w, value, slope = w + t * step, trial, trial_slope
    return w


def lbfgs(p, w, beta, g, ridge=0.0):
    r = scipy.optimize.minimize(p.goal, w, (beta, g, ridge), jac=True, method="L-BFGS-B",
                                options={"maxiter": 5000, "maxfun": 10000, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 20})
    return r.x


def extreme(p, w_hat, loss_hat, g, sign):
    """sign * max over the set of sign * g.w; every maximiser starts from the last."""
    state = {"w": w_hat}

    def excess(x):
        state["w"] = newton(p, state["w"], np.exp(x), sign * g)
        return p.loss(state["w"])[0] - loss_hat - p.zeta

    x = np.log(p.beta)
    scipy.optimize.brentq(excess, x - 0.7, x + 0.7, xtol=1e-9)
    return g @ state["w"]


def timed(f, runs=3):
    f()
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        answer = f()
        seconds.append(time.perf_counter() - began)
    return answer, 1e3 * sorted(seconds)[runs // 2]


def report(name, ours, peer, ms, error):
    print(f"{name}: pbkd {ours[name]:.1f} ms, {peer} {ms:.1f} ms, ratio {ms / ours[name]:.1f}, difference {error:.1e}", flush=True)


def fit_sklearn(p, ours, solver):
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        print("scikit-learn is not installed: no figure of it")
        return
    # A soft label is a positive and a negative copy with weights o~ and 1 - o~. Its ridge is around 0, not w0: too small to matter.
    n = len(p.o)
    x, y, weight = np.vstack([p.f, p.f]), np.repeat([1, 0], n), np.concatenate([p.o, 1 - p.o])
    model = LogisticRegression(C=1 / (p.ridge * n), fit_intercept=False, solver=solver, tol=1e-9, max_iter=2000)
    fitted, ms = timed(lambda: model.fit(x, y, sample_weight=weight), 1)
    report("confidence-fit", ours, f"scikit-learn {solver}", ms, abs(p.loss(fitted.coef_[0])[0] - p.loss_hat))


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "problem.bin")
        text = subprocess.run([sys.argv[1], threads, path], check=True, capture_output=True, text=True).stdout
        p = Problem(path)
    print(text, end="")
    ours = {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if line.startswith("confidence-")}
    for solver in ("lbfgs", "newton-cholesky"):
        fit_sklearn(p, ours, solver)
    none = np.zeros_like(p.g)
    for name, method in (("SciPy L-BFGS-B", lbfgs), ("NumPy Newton", newton)):
        w_hat, ms = timed(lambda: method(p, p.w0, 1.0, none, p.ridge))
        report("confidence-fit", ours, name, ms, abs(p.loss(w_hat)[0] - p.loss_hat))
        w, ms = timed(lambda: method(p, w_hat, p.beta, p.g))
        report("confidence-beta", ours, name, ms, abs(p.g @ w - p.high))
    loss_hat = p.loss(w_hat)[0]
    ends, ms = timed(lambda: [extreme(p, w_hat, loss_hat, p.g, sign) for sign in (-1, 1)], 1)
    report("confidence-interval", ours, "NumPy Newton, brentq", ms, max(abs(ends[0] - p.low), abs(ends[1] - p.high)))


if __name__ == "__main__":
    main()
