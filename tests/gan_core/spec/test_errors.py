import pickle

from gan_core.spec.errors import GraftError


def test_an_error_survives_the_way_between_processes() -> None:
    error = GraftError("diverged", "It diverged.", "Do.", evidence={"history": [{"epoch": 1}]})
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (again.code, again.detail, again.hint) == ("diverged", "It diverged.", "Do.")
    assert again.evidence == {"history": [{"epoch": 1}]}


def test_an_error_without_evidence_has_none_and_shares_none() -> None:
    again = pickle.loads(pickle.dumps(GraftError("a", "B.")))  # noqa: S301 - our own
    assert dict(again.evidence) == {}
    assert "evidence" not in vars(again)
