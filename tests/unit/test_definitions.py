"""The registry: which sagas a service knows, in which versions."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sagas import Command, Definitions, Endpoint, InvalidDefinition, Reply, Saga, SagaData, SagaInput, UnknownSaga, step
from sagas.imports import OWN, named
from sagas.order import order
from support.source import ROOT


class Place(SagaInput):
    product: str


class Data(SagaData):
    product: str


class Reserve(Command):
    product: str


class Done(Reply):
    pass


def saga(name: str, version: int = 1, command: type[Command] = Reserve, message: str = "reserve") -> Saga:
    endpoint = Endpoint("stock", command, Done, name=message)
    return Saga(name, version=version, input=Place, data=Data, steps=[step("reserve", endpoint)])


SHOP_SAGAS = """
from sagas import Saga
from sagas.order import Order, PlaceOrder, order

old = Saga("buy", version=1, input=PlaceOrder, data=Order, steps=order.nodes)
new = Saga("buy", version=2, input=PlaceOrder, data=Order, steps=order.nodes)
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules can be imported, and are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_new_sagas_start_with_the_newest_version_and_old_ones_stay_known() -> None:
    one, two, ten = saga("buy", 1), saga("buy", 2), saga("buy", 10)
    definitions = Definitions([two, ten, one, saga("ask")])
    assert definitions.latest("buy") is ten
    assert definitions.get("buy", 1) is one
    assert definitions.get("buy", 3) is definitions.get("sell", 1) is None
    assert definitions.names == ("ask", "buy")
    assert [(known.name, known.version) for known in definitions] == [("ask", 1), ("buy", 1), ("buy", 2), ("buy", 10)]
    assert len(definitions) == 4


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownSaga, match=r"^there is no saga 'by'; known: ask, buy$"):
        Definitions([saga("buy"), saga("ask")]).latest("by")
    with pytest.raises(UnknownSaga, match="known: none"):
        Definitions([]).latest("buy")


def test_two_sagas_of_one_name_and_version_are_refused() -> None:
    with pytest.raises(InvalidDefinition, match="buy: two sagas are called version 1"):
        Definitions([saga("buy"), saga("buy")])


def test_a_saga_that_is_named_in_two_modules_counts_once() -> None:
    one = saga("buy")
    assert len(Definitions([one, one])) == 1


def test_sagas_that_mean_different_messages_by_one_type_are_refused() -> None:
    class Other(Command):
        product: str
        more: int = 0

    with pytest.raises(
        InvalidDefinition, match=r"ask version 1 and buy version 1 mean different messages by stock\.res"
    ):
        Definitions([saga("buy"), saga("ask", command=Other)])


def test_a_changed_message_is_told_the_name_with_which_it_may_stand_beside_the_old_one() -> None:
    class Changed(Reserve):
        more: int = 0

    with pytest.raises(InvalidDefinition) as raised:
        Definitions([saga("buy"), saga("buy", 2, Changed)])
    _, _, told = str(raised.value).partition("another name=, such as ")

    assert len(Definitions([saga("buy"), saga("buy", 2, Changed, told.strip("'"))])) == 2
    assert saga("buy", 1, Changed).fingerprint != saga("buy").fingerprint, "a default does not make it the same message"


def test_every_saga_at_the_top_of_a_module_is_loaded(modules: Path) -> None:
    (modules / "shop_sagas.py").write_text(SHOP_SAGAS)
    definitions = Definitions.load(" sagas.order, shop_sagas ,")
    assert [(known.name, known.version) for known in definitions] == [("buy", 1), ("buy", 2), ("order", 1)]
    assert definitions.latest("order") is order


@pytest.mark.parametrize("modules_text", ["", " , "])
def test_no_module_is_refused(modules_text: str) -> None:
    with pytest.raises(InvalidDefinition, match="no module with sagas is given"):
        Definitions.load(modules_text)


@pytest.mark.parametrize("name", ["no_such_module_here", "sagas.no_such_module", "no_such_package.sagas"])
def test_a_module_that_is_not_there_is_said_to_be_missing(name: str) -> None:
    with pytest.raises(InvalidDefinition, match=f"there is no module '{name}' in this folder or on PYTHONPATH"):
        Definitions.load(name)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("sagas", "sagas.py"),
        ("sagas.order", "sagas/order.py"),
        ("client", "client/__init__.py"),
        ("shop_of_hidden", "chaos/monkey.py"),
        ("shop_of_hidden_name", "cli.py"),
    ],
)
def test_a_module_that_is_hidden_by_one_of_ours_is_refused(modules: Path, name: str, file: str) -> None:
    (modules / file).parent.mkdir(exist_ok=True)
    (modules / file).write_text("")
    (modules / "shop_of_hidden.py").write_text("import chaos.monkey\n")
    (modules / "shop_of_hidden_name.py").write_text("from cli import shop\n")
    with pytest.raises(
        InvalidDefinition, match=r"^your own module '.*' can't be found, because '.*' is the name of one"
    ):
        Definitions.load(name)


def test_every_package_that_is_shipped_is_known_as_ours() -> None:
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert sorted(OWN) == sorted(shipped["packages"])


@pytest.mark.parametrize("name", [".order", "..", "a..b", "sagas/order.py", "-"])
def test_what_is_not_a_modules_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidDefinition, match="is not a module's name"):
        Definitions.load(name)


def test_a_module_without_sagas_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"the module 'sagas\.contracts' has no saga"):
        Definitions.load("sagas.contracts")


@pytest.mark.parametrize(
    ("name", "meant"), [("trip.py", "trip"), ("sagas/order.py", "sagas.order"), ("sagas/order.py:order", "sagas.order")]
)
def test_a_file_instead_of_a_module_is_told_what_was_meant(name: str, meant: str) -> None:
    with pytest.raises(InvalidDefinition, match=f"like '{meant}'$"):
        Definitions.load(name)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import no_such_dependency\n", "No module named 'no_such_dependency'"),
        ("def x(:\n", "SyntaxError: invalid syntax"),
        ("\nraise ValueError('port 70000')\n", "ValueError: port 70000"),
        ("from sagas import Saga\nSaga('trip')\n", "missing 4 required keyword-only arguments"),
    ],
)
def test_a_module_that_is_broken_says_where_in_it_and_nothing_of_who_imports(
    modules: Path, source: str, says: str
) -> None:
    name = f"shop_broken_{len(source)}"
    (modules / f"{name}.py").write_text(source)
    with pytest.raises(InvalidDefinition) as raised:
        Definitions.load(name)
    first, place, *_ = str(raised.value).splitlines()
    assert first == f"the module '{name}' can't be imported:"
    assert f'{name}.py", line' in place
    assert says in str(raised.value)
    assert "importlib" not in str(raised.value)


def test_a_module_with_a_wrong_definition_says_what_is_wrong(modules: Path) -> None:
    (modules / "shop_wrong.py").write_text("from sagas import Retry\nRetry(attempts=0)\n")
    with pytest.raises(InvalidDefinition, match="attempts must be 1 to 1000"):
        Definitions.load("shop_wrong")


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("sagas.contracts", "the module 'sagas.contracts' has no Saga at its top level"),
        ("sagas/order.py", "like 'sagas.order'"),
        ("sagas.order:", "'' in module 'sagas.order' is not a Saga. Did you mean 'order'?"),
        ("no.such:saga", "there is no module 'no.such'"),
        ("sagas.order:Order", "'Order' in module 'sagas.order' is not a Saga. Did you mean 'order'?"),
    ],
)
def test_what_a_reference_does_not_name_is_said(reference: str, says: str) -> None:
    with pytest.raises(InvalidDefinition) as raised:
        named(reference, Saga)
    assert says in str(raised.value)


def test_a_module_alone_names_the_only_one_in_it(modules: Path) -> None:
    (modules / "shop_one.py").write_text("from sagas.order import order\nthe_same = order\n")
    assert named("shop_one", Saga).name == "order"
    (modules / "shop_two.py").write_text("from copy import copy\nfrom sagas.order import order\nother = copy(order)\n")
    with pytest.raises(InvalidDefinition, match=r"has more than one: write shop_two:order or shop_two:other$"):
        named("shop_two", Saga)


def test_of_a_module_with_several_sagas_one_can_be_taken_alone(modules: Path) -> None:
    (modules / "shop_many.py").write_text("from copy import copy\nfrom sagas.order import order\nother = copy(order)\n")
    with pytest.raises(InvalidDefinition, match="two sagas are called version 1"):
        Definitions.load("shop_many")
    assert [saga.name for saga in Definitions.load("shop_many:other")] == ["order"]
