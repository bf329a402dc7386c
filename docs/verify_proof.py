"""Check what `lineage audit --prove` wrote, without lineage: python verify_proof.py PROOF [CHECKPOINT]"""
import base64, datetime, hashlib, json, struct, sys
COLUMNS = """revision:q annotation:q seq:q operation:s supersedes:q? identity:s identity_score:d? asset:q annotator:s class:s
source_class:s? kind:s x_min:d? y_min:d? x_max:d? y_max:d? geometry:g? attributes:s stage:s schema:s batch:s origin:s
labelled_at:t? created_by:s? updated_by:s? lead_time_s:d? score:d? source_id:s? extra:s?""".split()
def must(holds, told): return holds or sys.exit("NOT PROVEN: " + told)
def sha(*pieces): return hashlib.sha256(b"".join(pieces)).digest()
def root_of(node, at, last, path):  # RFC 9162, section 2.1.3.2; last: the tree's size less one
    for beside in map(bytes.fromhex, path):
        is_right = must(last > 0, "a path is too long") and (at & 1 or at == last)
        node = sha(b"\1", beside, node) if is_right else sha(b"\1", node, beside)
        while is_right and at and not at & 1: at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    return must(at == last == 0, "a path is too short") and node
def decoded(row):  # ledger.md: the tag, all columns, then the variable parts of all columns
    at, found = 20, {}
    for name, kind in (column.split(":") for column in COLUMNS):
        code = "<" + "?" * (len(kind) - 1) + {"s": "I", "g": "I", "t": "q"}.get(kind[0], kind[0])
        (*is_set, value), at = struct.unpack_from(code, row, at), at + struct.calcsize(code)
        found[name] = kind[0], all(is_set), value
    for name, (kind, is_set, value) in found.items():
        if kind == "s": at, value = at + value, row[at:at + value].decode()
        if kind == "t": value = (datetime.datetime(1970, 1, 1) + datetime.timedelta(0, 0, value)).isoformat() + "Z"
        if kind == "g": sizes, at, value = struct.unpack_from(f"<{value}I", row, at), at + 4 * value, []
        for n in sizes if kind == "g" else (): at, value = at + 8 * n, [*value, [*struct.unpack_from(f"<{n}d", row, at)]]
        found[name] = value if is_set else None
    return must(at == len(row) and row[:20] == b"lineage:revisions:1\0", "a row has another form") and found
proof, parts, known = json.load(open(sys.argv[1])), {}, [open(name).read().split("\n")[:3] for name in sys.argv[2:]]
must(known in ([], [log := proof["checkpoint"].split("\n")[:3]]) and proof["format"] == "lineage:proof:1" and proof["revisions"], "another checkpoint, or format")
for header, told, path in ((a["header"], json.loads(a["header"]), a["path"]) for a in proof["activities"]):
    leaf, root = sha(b"\0lineage:activity:1\0", header.encode()), base64.b64decode(log[2])
    must(root_of(leaf, told["seq"] - 1, int(log[1]) - 1, path) == root, "an activity is not in the log")
    parts[told["seq"]] = next(part for part in told["parts"] if part["table"] == "revisions")
for row in proof["revisions"]:
    part, leaf, content = parts[row["seq"]], bytes.fromhex(row["leaf"]), bytes.fromhex(row["bytes"] or "")
    must(root_of(leaf, row["row"], part["n_rows"] - 1, row["path"]).hex() == part["root"], "a row is not in its part")
    state = must(not content or sha(b"\0", content) == leaf, "a row has another hash") and (decoded(content) if content else None)
    must(state == row["fields"], "a row has other fields") and must(not state or state["annotation"] == proof["annotation"], "another's row")
    print(json.dumps(state, ensure_ascii=False) if state else f"a row of activity {row['seq']} from which text was erased: its hash alone")
print(f"proven: {len(proof['revisions'])} revisions of annotation {proof['annotation']} are among the {log[1]} activities of {log[0]}")
