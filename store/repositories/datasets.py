"""Data sets of one workspace."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.deleting import delete_dataset, hold_dataset
from store.repositories.paging import ALWAYS, Page, Period, page_of
from store.tables import Dataset


class DatasetRepository:
    """Data sets of one workspace."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def add(self, dataset: Dataset) -> None:
        """Write a new data set."""
        dataset.workspace_id = self._workspace_id
        self._session.add(dataset)
        self._session.flush()

    def get(self, dataset_id: str) -> Dataset | None:
        """Return a data set, or null."""
        return self._session.scalar(
            select(Dataset).where(
                Dataset.id == dataset_id, Dataset.workspace_id == self._workspace_id
            )
        )

    def hold(self, dataset: Dataset) -> bool:
        """Keep jobs from being added until the transaction ends; say whether it is still there."""
        return hold_dataset(self._session, dataset)

    def delete(self, dataset: Dataset) -> None:
        """Delete a data set that is held and has no jobs any more."""
        delete_dataset(self._session, dataset)

    def page(
        self,
        limit: int,
        cursor: str | None,
        status: str | None = None,
        created: Period = ALWAYS,
    ) -> Page[Dataset]:
        """Return data sets, the newest first."""
        query = select(Dataset).where(Dataset.workspace_id == self._workspace_id)
        if status is not None:
            query = query.where(Dataset.status == status)
        query = created.within(query, Dataset.created_at)
        return page_of(self._session, query, Dataset.id, limit, cursor)
