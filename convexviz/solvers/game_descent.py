"""Gradient descent-ascent on the game itself: the generator descends, the discriminator ascends.

Simultaneous, alternating or extragradient steps, plain or Adam. The raw value of the game means
nothing while the discriminator can still gain, so what is recorded is what can be proved: R_g, the
violation `F(G) - beta`, the lower bound that the discriminator of the moment gives, and the value
of the generator once it is mixed with the data just so far that it is allowed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz.core.discriminator import Neurons
from convexviz.core.game import GameProgram
from convexviz.core.generator import Generator
from convexviz.errors import Cancelled, SpecError
from convexviz.solvers.descent import OnRecord, Options, Run
from convexviz.solvers.game_repair import repaired_value
from convexviz.solvers.game_steps import Adam, Place, Plain

# The settings that circle in plain sight, and the one that converges (labs: 2-D, quadratic).
RATES = {"adam": (2e-3, 1e-2), "sgd": (0.02, 0.2)}
EXPLODED = 1e6
_SMALL = 10**5  # entries of X up to which float64 costs nothing worth saving

Weights = list[Any]


@dataclass(frozen=True, slots=True, eq=False)
class GameDescent:
    """A game as descent plays it.

    Attributes:
        game: what is played; it certifies, whatever plays.
        Z: the latents of a generator with layers.
        activation: of a generator with hidden neurons, "relu" or "square"; None for a free or
            linear one, which is trained in the program's own orthonormal coordinates.
        finish: the trained generator in the architecture's own terms.
    """

    game: GameProgram
    Z: Float[np.ndarray, "m l"]
    activation: str | None
    finish: Callable[[Any], Any]

    def train(self, options: Options, seed: int, on_record: OnRecord) -> Run:
        """Play from one random start.

        Raises:
            SpecError: an optimiser or scheme that games do not have.
        """
        if options.optimizer not in RATES:
            raise SpecError(
                f"optimizer must be one of {', '.join(RATES)} for a game, got {options.optimizer!r}"
            )
        return Match(self, options, seed).play(on_record)


class Match:
    """One run: the weights of both players, their optimisers and the records.

    Everything is in units of the largest singular value of X, so that rates mean the same on all
    data; gradients are written out, for at this size a step costs what its calls cost.
    """

    def __init__(self, problem: GameDescent, options: Options, seed: int) -> None:
        game, rng = problem.game, np.random.default_rng([seed, 7])
        self.problem, self.options, self.game = problem, options, game
        self.unit = float(np.linalg.norm(game.X, 2)) or 1.0
        self.place = Place(options.device, np.float32 if game.X.size > _SMALL else np.float64)
        keep = self.place.keep
        self.X = keep(self._with_constant(game.X / self.unit))
        self.basis = None if game.reach.basis is None else keep(game.reach.basis)
        self.price = keep(game.reach.price[:, None])
        self.start = keep(game.reach.start / self.unit)
        self.Z = keep(problem.Z)
        self.players = [self._generator(rng), self._discriminator(rng)]
        rates = options.learning_rate or RATES[options.optimizer]
        rates = rates if isinstance(rates, tuple) else (rates, rates)
        kind = Adam if options.optimizer == "adam" else Plain
        self.optimisers = [kind(rate) for rate in rates]

    def _with_constant(self, X: np.ndarray) -> np.ndarray:
        if not self.game.discriminator.bias:
            return X
        return np.hstack([X, np.full((len(X), 1), 1.0 / self.unit)])

    def _generator(self, rng: np.random.Generator) -> Weights:
        reach, d = self.game.reach, self.game.X.shape[1]
        keep = self.place.keep
        if self.problem.activation is None:
            noise = 0.3 * rng.standard_normal((reach.rows, d)) / np.sqrt(reach.rows * d)
            return [keep(reach.start / self.unit if reach.start.any() else noise)]
        width, latents = self.options.width, self.problem.Z.shape[1]
        first = rng.standard_normal((latents, width)) / np.sqrt(latents)
        second = rng.standard_normal((width, d)) / np.sqrt(width * len(self.problem.Z))
        return [keep(first), keep(0.3 * second)]

    def _discriminator(self, rng: np.random.Generator) -> Weights:
        width = self.options.width
        U = rng.standard_normal((self.game.width - 1, width))
        keep = self.place.keep
        return [keep(U / np.linalg.norm(U, axis=0)), keep(0.1 * rng.standard_normal(width))]

    def hidden(self, generator: Weights) -> Any:
        """The hidden layer before its activation, of a generator that has one."""
        return self.Z @ generator[0]

    def samples(self, generator: Weights) -> Any:
        """G over the unit."""
        if self.problem.activation is None:
            return generator[0] if self.basis is None else self.basis @ generator[0]
        linear = self.hidden(generator)
        active = linear * (linear > 0) if self.problem.activation == "relu" else linear * linear
        return active @ generator[1]

    def _respond(self, linear: Any) -> tuple[Any, Any]:
        """The activation's sum over samples, and its slope."""
        discriminator, unit = self.game.discriminator, self.unit
        if discriminator.kind == "relu":
            on = (linear > 0) / unit
            return (linear * on).sum(0), on
        a, b, c = discriminator.coefficients
        total = a * (linear * linear).sum(0) + b / unit * linear.sum(0) + c * len(linear) / unit**2
        return total, 2 * a * linear + b / unit

    def ascent(self, players: list[Weights]) -> list[Any]:
        """The discriminator's gradient, along the sphere for its directions."""
        (U, v), G = players[1], self._seen(self.samples(players[0]))
        real, slope_x = self._respond(self.X @ U)
        made, slope_g = self._respond(G @ U)
        gradient = (self.X.T @ slope_x - G.T @ slope_g) * v
        gradient = gradient - U * (U * gradient).sum(0)
        beta = self.game.weight_decay / self.unit**2
        return [gradient, real - made - beta * self.place.sign(v)]

    def descent(self, players: list[Weights]) -> list[Any]:
        """The generator's gradient."""
        generator, (U, v) = players
        G = self.samples(generator)
        _, slope = self._respond(self._seen(G) @ U)
        through = -(slope * v) @ U[: G.shape[1]].T
        if self.problem.activation is None:
            inner = through if self.basis is None else self.basis.T @ through
            return [inner + 2 * self.price * (generator[0] - self.start)]
        through = through + 2 * (G - self.start)
        linear = self.hidden(generator)
        relu = self.problem.activation == "relu"
        active, slope = (linear * (linear > 0), 1.0 * (linear > 0)) if relu else (
            linear * linear, 2 * linear
        )  # fmt: skip
        return [self.Z.T @ ((through @ generator[1].T) * slope), active.T @ through]

    def _seen(self, G: Any) -> Any:
        if not self.game.discriminator.bias:
            return G
        return self.place.beside(G, 1.0 / self.unit)

    def step(self) -> None:
        """One step of both players, by the scheme."""
        scheme = self.options.scheme or "alternating"
        here = self.players
        if scheme == "alternating":
            after = self._moved(1, here, here)
            self.players = [self._moved(0, [here[0], after], here), after]
            return
        ahead = [self._moved(i, here, here) for i in (0, 1)]
        if scheme == "extragradient":  # the step of the point ahead, taken from here
            ahead = [self._moved(i, ahead, here) for i in (0, 1)]
        self.players = ahead

    def _moved(self, i: int, at: list[Weights], start: list[Weights]) -> Weights:
        """Player i's weights, moved from `start` by its gradient at `at`."""
        gradient = self.descent(at) if i == 0 else self.ascent(at)
        sign = -1.0 if i == 0 else 1.0
        steps = self.optimisers[i].steps(gradient)
        moved = [w + sign * s for w, s in zip(start[i], steps, strict=True)]
        if i == 1:
            moved[0] = moved[0] / ((moved[0] * moved[0]).sum(0) ** 0.5 + 1e-30)
        return moved

    def play(self, on_record: OnRecord) -> Run:
        at = record_steps(self.options)
        kept: dict[str, list[float]] = {name: [] for name in NAMES}
        clock, cancelled, diverged = 0.0, False, False
        for k in range(self.options.steps + 1):
            if k in at:
                self._record(kept, clock, diverged)
                try:
                    on_record(k, kept["objectives"][-1], clock)
                except Cancelled:
                    cancelled = True
                    break
            if k == self.options.steps or diverged:
                continue
            started = time.perf_counter()
            self.step()
            clock += time.perf_counter() - started
            diverged = self._exploded()
        arrays = {name: np.array(values) for name, values in kept.items()}
        objectives, seconds = arrays.pop("objectives"), arrays.pop("seconds")
        final = float(objectives[-1])
        return Run(objectives, seconds, self.generator(), final, cancelled, arrays)

    def _exploded(self) -> bool:
        largest = [float(abs(w).max()) for player in self.players for w in player]
        return not all(np.isfinite(x) and x < EXPLODED for x in largest)

    def _record(self, kept: dict[str, list[float]], clock: float, diverged: bool) -> None:
        kept["seconds"].append(clock)
        if diverged:
            for name in ("objectives", "regulariser", "violation", "lower_bound"):
                kept[name].append(np.nan)
            return
        G = self.unit * self.place.numpy(self.samples(self.players[0]))
        game = self.game
        neurons = Neurons(
            self.place.numpy(self.players[1][0]).T, self.place.numpy(self.players[1][1])
        )
        packed = game.pack(G, neurons)
        # A generator with hidden neurons is held to R_g of its samples.
        regulariser, violation = game.regulariser(packed), game.violation(packed)
        kept["regulariser"].append(regulariser)
        kept["violation"].append(violation)
        kept["lower_bound"].append(game.bound(neurons))
        kept["objectives"].append(repaired_value(game, G, violation))

    def generator(self) -> Generator:
        """What was trained."""
        weights = [self.place.numpy(w) for w in self.players[0]]
        if self.problem.activation is not None:
            first, second = weights
            return Generator(layers=(first, self.unit * second), activation=self.problem.activation)
        C = self.unit * weights[0]
        if self.game.reach.basis is None:
            return Generator(samples=C)
        return Generator(layers=(self.game.reach.weights(C),))


NAMES = ("objectives", "seconds", "regulariser", "violation", "lower_bound")


def record_steps(options: Options) -> set[int]:
    """Steps to record: geometrically spaced, and evenly, so that circling can be seen."""
    few = min(options.records, options.steps + 1)
    spaced = np.geomspace(1, options.steps + 1, few) - 1
    even = np.linspace(0, options.steps, few)
    return {0, options.steps, *np.round(np.concatenate([spaced, even])).astype(int).tolist()}
