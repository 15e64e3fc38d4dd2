"""A bad network between real nodes, on one machine and without privileges.

Each node gets a *front*: a socket that stands for it. Who sends to a front is known by the address it sends from,
and what it sends arrives from its own front. So nodes know each other by their fronts alone, as if there were
nothing else, and whatever goes from one to another comes by here, where it may be late, or never arrive.
"""
import heapq
import random
import select
import socket
import threading
import time


class LossyNetwork(threading.Thread):
    # Datagrams taken from one front before the others are looked at, and before what is due goes out.
    BATCH = 32
    # What the system holds for us while we are busy.
    BUFFER = 4 << 20

    def __init__(self, nodes, seed, loss, delay, jitter):
        """`loss`: share of the datagrams that vanish; `delay` and `jitter`: seconds one way, the second one
        either way by chance, so that datagrams overtake each other."""
        super().__init__(daemon=True)
        self.chance = random.Random(seed)
        self.loss, self.delay, self.jitter = loss, delay, jitter
        self.fronts = []
        self.ports = [node.port for node in nodes]
        self.numbers = {port: number for number, port in enumerate(self.ports)}
        for node in nodes:
            front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.BUFFER)
            front.setblocking(False)
            front.bind(("127.0.0.1", 0))
            node.front = front.getsockname()[1]
            self.fronts.append(front)
        # Of each node, the side it is on: those of different sides hear nothing of each other.
        self.sides = [0] * len(nodes)
        self.carried, self.lost, self.severed, self.late = 0, 0, 0, 0.0
        self.is_over = False

    def part(self, sides):
        """From now on nodes reach only those with the same number; all the same heals the network."""
        self.sides = list(sides)

    def run(self):
        waiting, order = [], 0
        poll = select.poll()
        senders = {front.fileno(): number for number, front in enumerate(self.fronts)}
        for front in self.fronts:
            poll.register(front, select.POLLIN)
        while not self.is_over:
            pause = 100 if not waiting else max(0.0, 1000 * (waiting[0][0] - time.monotonic()))
            for descriptor, _ in poll.poll(min(pause, 100)):
                receiver = senders[descriptor]
                for datagram, sender in self.arrivals(self.fronts[receiver]):
                    if self.sides[sender] != self.sides[receiver]:
                        self.severed += 1
                    elif self.chance.random() < self.loss:
                        self.lost += 1
                    else:
                        order += 1
                        due = time.monotonic() + self.delay + self.chance.uniform(-self.jitter, self.jitter)
                        heapq.heappush(waiting, (due, order, sender, receiver, datagram))
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                due, _, sender, receiver, datagram = heapq.heappop(waiting)
                # What was on its way when the network fell apart does not arrive.
                if self.sides[sender] == self.sides[receiver]:
                    self.deliver(sender, receiver, datagram)
                    self.late = max(self.late, now - due)
        for front in self.fronts:
            front.close()

    def arrivals(self, front):
        for _ in range(self.BATCH):
            try:
                datagram, (_, port) = front.recvfrom(2048)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue  # who was sent to before is not there
            if port in self.numbers:
                yield datagram, self.numbers[port]

    def deliver(self, sender, receiver, datagram):
        try:
            self.fronts[sender].sendto(datagram, ("127.0.0.1", self.ports[receiver]))
            self.carried += 1
        except (BlockingIOError, ConnectionRefusedError):
            self.lost += 1

    def end(self):
        self.is_over = True
        self.join()
