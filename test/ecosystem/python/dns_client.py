"""Reads the embedded zone with the system's dnspython: by transfer, and by asking for each record set of it.

    dns_client.py HOST PORT ZONE

Prints one JSON object: how many record sets, and what was wrong.
"""

import json
import sys

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone

host, port, zone_name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
faults = []
origin = dns.name.from_text(zone_name)


def ask(name, rdtype, tcp=False, **edns):
    query = dns.message.make_query(name, rdtype, **edns)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(query, host, port=port, timeout=10)


def whole(name, rdtype):
    """As a resolver does it: over UDP first, over TCP when that says so."""
    answer = ask(name, rdtype, use_edns=0, payload=1232)
    return ask(name, rdtype, tcp=True) if answer.flags & dns.flags.TC else answer


zone = dns.zone.from_xfr(
    dns.query.xfr(host, origin, port=port, timeout=20, relativize=False), relativize=False
)
sets = 0
for name, node in zone.nodes.items():
    for rdataset in node.rdatasets:
        answer = whole(name, rdataset.rdtype)
        found = answer.get_rrset(answer.answer, name, rdataset.rdclass, rdataset.rdtype)
        sets += 1
        if found is None or set(found) != set(rdataset) or found.ttl != rdataset.ttl:
            faults.append(f"{name} {dns.rdatatype.to_text(rdataset.rdtype)}: {answer}")
        if not answer.flags & dns.flags.AA:
            faults.append(f"{name}: not authoritative")

missing = ask(dns.name.from_text("nothing", origin), "A")
if missing.rcode() != dns.rcode.NXDOMAIN or len(missing.authority) != 1:
    faults.append(f"no NXDOMAIN with an SOA: {missing}")
cookie = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"12345678")
said = ask(origin, "SOA", use_edns=0, options=[cookie], want_dnssec=True)
if said.rcode() != dns.rcode.NOERROR or said.options or not said.ednsflags & dns.flags.DO:
    faults.append(f"EDNS: {said}")
serial = next(iter(zone.get_rdataset(origin, "SOA"))).serial
ixfr = list(dns.query.xfr(host, origin, port=port, rdtype="IXFR", serial=serial, timeout=20,
                          relativize=False))
if len(ixfr) != 1 or len(ixfr[0].answer[0]) != 1:
    faults.append(f"IXFR of the newest serial: {ixfr}")

print(json.dumps({"sets": sets, "faults": faults[:10]}))
