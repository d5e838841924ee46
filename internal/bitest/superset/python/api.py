"""Superset's REST API, as far as the check needs it."""

import prison
import requests

TIMEOUT = 120  # seconds; the machine may be busy


class Superset:
    """A user who is logged in to the Superset at url."""

    def __init__(self, url, user, password):
        self.url, self.user, self.password = url, user, password
        self.session = requests.Session()
        login = {"username": user, "password": password, "provider": "db", "refresh": False}
        token = self._call("POST", "security/login", json=login)["access_token"]
        self.session.headers["Authorization"] = "Bearer " + token
        self.session.headers["X-CSRFToken"] = self.get("security/csrf_token/")["result"]
        self.session.headers["Referer"] = url

    def get(self, path, q=None, **params):
        """Reads a resource; q is the argument that Superset wants as Rison."""
        if q is not None:
            params["q"] = prison.dumps(q)
        return self._call("GET", path, params=params)

    def create(self, kind, **fields):
        """Makes a resource of a kind and returns its id."""
        return self._call("POST", kind + "/", json=fields)["id"]

    def put(self, path, **fields):
        return self._call("PUT", path, json=fields)

    def sql(self, database, schema, query):
        """Runs a query in SQL Lab and returns its rows, each by column."""
        fields = {"database_id": database, "schema": schema, "sql": query, "runAsync": False, "queryLimit": 1000, "client_id": "check"}
        return self._call("POST", "sqllab/execute/", json=fields)["data"]

    def _call(self, method, path, **options):
        answer = self.session.request(method, f"{self.url}/api/v1/{path}", timeout=TIMEOUT, **options)
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:2000]}")
        return answer.json()
