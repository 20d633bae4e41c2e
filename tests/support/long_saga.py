"""A longer saga than the order: steps without an undo, several behind the pivot, a participant that has several."""

from sagas import Command, Endpoint, Reply, Saga, SagaData, SagaInput, pivot, step, undo


class Wish(SagaInput):
    family: str


class House(SagaData):
    family: str
    plot: int | None = None
    permit: str | None = None


class BuyPlot(Command):
    family: str


class PlotBought(Reply):
    plot: int


class SellPlot(Command): ...


class PlotSold(Reply): ...


class AskPermit(Command):
    plot: int


class PermitGiven(Reply):
    permit: str


class OrderBricks(Command):
    plot: int


class BricksOrdered(Reply): ...


class SendBricksBack(Command): ...


class BricksSentBack(Reply): ...


class Build(Command):
    permit: str


class Built(Reply): ...


class PaintIt(Command): ...


class Painted(Reply): ...


class MoveIn(Command):
    family: str


class MovedIn(Reply): ...


house = Saga(
    "house",
    version=1,
    input=Wish,
    data=House,
    steps=[
        step("plot", Endpoint("town", BuyPlot, PlotBought), undo=undo(Endpoint("town", SellPlot, PlotSold))),
        step("permit", Endpoint("town", AskPermit, PermitGiven), undo=None),
        step(
            "bricks",
            Endpoint("yard", OrderBricks, BricksOrdered),
            undo=undo(Endpoint("yard", SendBricksBack, BricksSentBack)),
            timeout="5s",
        ),
        step("build", Endpoint("builder", Build, Built), undo=None, timeout="1m"),
        pivot(),
        step("paint", Endpoint("builder", PaintIt, Painted)),
        step("move-in", Endpoint("town", MoveIn, MovedIn)),
    ],
)
