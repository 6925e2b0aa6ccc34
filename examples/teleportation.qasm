// Teleports a state from q[0] to q[2], with corrections that depend on measured bits. The preparation of the state is then
// undone on q[2], so the bit "bob" is always 0.
OPENQASM 3.0;
include "stdgates.inc";

qubit[3] q;
bit alice;
bit partner;
bit bob;

ry(0.9) q[0];
p(0.4) q[0];

h q[1];
cx q[1], q[2];

cx q[0], q[1];
h q[0];
alice = measure q[0];
partner = measure q[1];

if (partner) {
  x q[2];
}
if (alice) {
  z q[2];
}

p(-0.4) q[2];
ry(-0.9) q[2];
bob = measure q[2];
