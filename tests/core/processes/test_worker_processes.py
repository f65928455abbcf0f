import multiprocessing
import socket
import sys
from multiprocessing import resource_sharer
from multiprocessing.connection import Connection

from elbow_core.processes.worker_processes import follow_parent
from tests.support.processes import linux


def offer_a_descriptor(connection: Connection) -> None:
    follow_parent()
    offer = resource_sharer.DupFd(sys.stdout.fileno())
    connection.send(offer._id)  # pyright: ignore[reportAttributeAccessIssue]
    connection.recv()
    sys.excepthook(ValueError, ValueError("is reported"), None)


@linux
def test_parent_that_stops_while_it_receives_leaves_no_traceback_of_the_worker(capfd):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=offer_a_descriptor, args=(theirs,))
    process.start()
    address, _ = ours.recv()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
    # Served after the first, whose error is over then.
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
        client.recv(1)
    ours.send(None)
    process.join(timeout=60)
    assert process.exitcode == 0
    assert capfd.readouterr().err == "ValueError: is reported\n"
