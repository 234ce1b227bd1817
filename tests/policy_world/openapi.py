"""Sends each example of an OpenAPI file to a server, and compares what it says with the example answers.

The number in the alias of a conference is the server's choice, so that one number is like another. What is told under
`explain` must name the members that the command line names."""
import base64
import http.client
import json
import re
import sys

file, address = sys.argv[1:]
api = json.load(open(file))
assert api["openapi"].startswith("3."), api["openapi"]
[(path, methods)] = api["paths"].items()
[(method, operation)] = methods.items()
questions = operation["requestBody"]["content"]["application/json"]["examples"]
schemas = api["components"]["schemas"]


def ask(question):
    credentials = base64.b64encode(b"vcs:s3cret-Pa55").decode()
    headers = {"Authorization": "Basic " + credentials, "Content-Type": "application/json"}
    client = http.client.HTTPConnection(address, timeout=60)
    client.request(method.upper(), path, json.dumps(question), headers)
    answer = client.getresponse()
    return answer.status, answer.headers["Content-Type"].split(";")[0], answer.read().decode()


def alike(text):
    return re.sub(r"(600\d)\d+@", r"\1N@", text)


count = 0
for name, question in questions.items():
    known = set(schemas["Question"]["properties"])
    status, kind, said = ask(question["value"])
    told = operation["responses"][str(status)]["content"][kind]["examples"][name]["value"]
    if kind == "application/json":
        assert set(question["value"]) <= known, name
        assert set(told) <= set(schemas["Decision"]["properties"]), name
        assert set(schemas["Decision"]["required"]) <= set(told), name
        said, told = json.dumps(json.loads(said), sort_keys=True), json.dumps(told, sort_keys=True)
    assert alike(said) == alike(told), (name, said, told)
    count += 1
status, _, said = ask({"alias": "meet.openapi@example.com", "explain": True})
why = json.loads(said)["explain"]
assert status == 200 and why["conference"] == "openapi" and why["peer"] == "b2", said
assert [pool["name"] for pool in why["pools"]] == ["P1", "P2"], said
print(count, "examples")
