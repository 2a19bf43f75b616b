import numpy as np
from scipy.optimize import minimize

from datamodules.geometry import camera, face_model

MODEL = face_model.fiducials()


def view(yaw, pitch=0.0):
    """A head turned by that much, seen without perspective."""
    a, b = np.cos([yaw, pitch])
    c, d = np.sin([yaw, pitch])
    return np.array([[a, 0, c], [c * d, b, -a * d]])


def test_the_camera_is_the_one_of_least_generalized_squares():
    seen = MODEL @ view(0.3, 0.1).T + np.random.default_rng(0).normal(size=(5, 2)) * 2
    inverse = np.linalg.inv(camera.covariance())
    spread = np.array([camera.FLAT, camera.FLAT, camera.TURN, camera.SHIFT] * 2)

    def badness(values):
        rest = (seen - np.column_stack([MODEL, np.ones(5)]) @ values.reshape(2, 4).T).ravel()
        return rest @ inverse @ rest + (((values - np.eye(2, 4).ravel()) / spread) ** 2).sum()

    found = minimize(badness, np.zeros(8), method="BFGS", tol=1e-12)
    assert np.allclose(camera.fitted(seen, MODEL), found.x.reshape(2, 4), atol=1e-4)


def test_a_frontal_face_has_the_frontal_camera():
    assert np.allclose(camera.fitted(MODEL[:, :2], MODEL), np.eye(2, 4))


def test_a_turned_head_is_seen_as_turned():
    for angle in (-0.5, -0.2, 0.2, 0.5):
        across, down = camera.fitted(MODEL @ view(angle).T, MODEL), camera.fitted(MODEL @ view(0, angle).T, MODEL)
        assert 0.5 < across[0, 2] / np.sin(angle) < 1
        assert 0.5 < down[1, 2] / -np.sin(angle) < 1
        assert abs(across[1, 2]) < 0.05
        assert abs(down[0, 2]) < 0.05


def test_with_little_doubt_the_affine_camera_itself_is_found(monkeypatch):
    monkeypatch.setattr(camera, "NOISE", 1e-4)
    monkeypatch.setattr(camera, "NOSE_NOISE", 1e-4)
    whole = np.column_stack([view(0.6, -0.3) * 1.1, (3, 4)])
    assert np.allclose(camera.fitted(np.column_stack([MODEL, np.ones(5)]) @ whole.T, MODEL), whole, atol=1e-4)
