"""How sure it is which clusters are things, in words for the first screen of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_MOST_NAMED = 6
_UNSURE = 0.25  # of a share from 0.5


def thing_decisions(record: Mapping[str, Any] | None, names: Sequence[str]) -> list[str]:
    """Says where the cut between stuff and things lies, who is close to it, what would move it.

    Args:
        record: `things` of a codebook's metadata; `None` where no rule decided.
        names: Of all clusters, in order.

    Returns:
        Sentences; none where the rule measured no cut, or clusters were made anew after it.
    """
    if record is None or len(record.get("thing_shares", ())) != len(names) or not names:
        return []
    shares, statistic = record["thing_shares"], str(record["statistic"]).replace("_", " ")
    things = sum(value > record["cut"] for value in record["values"])
    sentences = [
        f"{things} of {len(names)} clusters, in {record['num_groups']} groups of alike ones, are "
        f"things: their {statistic} is above {record['cut']:.3g}, where both sides part best."
    ]
    close = sorted((abs(share - 0.5), cluster) for cluster, share in enumerate(shares))
    unsure = [cluster for distance, cluster in close if distance <= _UNSURE]
    sentences += [
        f"{names[cluster]} {_words(shares[cluster])}: {shares[cluster]:.2f}"
        for cluster in unsure[:_MOST_NAMED]
    ]
    if not unsure:
        sentences.append("No cluster is close to the cut.")
    elif len(unsure) > _MOST_NAMED:
        sentences.append(f"{len(unsure) - _MOST_NAMED} more are between {0.5 - _UNSURE} and 0.75.")
    for fraction, changed in record["changed_by"].items():
        whom = ", ".join(names[cluster] for cluster in changed[:_MOST_NAMED])
        more = " and more" if len(changed) > _MOST_NAMED else ""
        what = f"{len(changed)} change sides ({whom}{more})" if changed else "none changes sides"
        sentences.append(f"Grouped with a merge fraction of {fraction}, {what}.")
    return sentences


def _words(share: float) -> str:
    return "is a thing and could be stuff" if share > 0.5 else "is stuff and could be a thing"
