"""A process that dies in the middle of a transaction: python orphan.py MONGO_URL DATABASE COLLECTION ID.

Its locks outlive it: MongoDB ends the transaction of a client that is gone only when its time is up.
"""

import os
import signal
import sys

from pymongo import MongoClient


def main(url: str, database: str, collection: str, key: str) -> None:
    """Touch a document in a transaction, and be killed."""
    client: MongoClient[dict[str, object]] = MongoClient(url)
    session = client.start_session()
    session.start_transaction()
    client[database][collection].update_one({"_id": key}, {"$set": {"touched": True}}, session=session)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
