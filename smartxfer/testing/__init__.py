"""Support for tests of scripts that use smartxfer: a local server on loopback, and canned responses.

**A server**, for tests that transfer files.  Register the plug-in in the top-level ``conftest.py``::

    pytest_plugins = ["smartxfer.testing.plugin"]

and use the fixture of a service.  It also sets the environment variables from which scripts read their
settings::

    def test_report_is_sent(filesender):
        client, server = filesender
        server.fault("filesender", "PUT /rest.php/file/*/chunk/*", "reset-after 1K")
        my_script.send_report(client)
        assert server.filesender.transfers()[0]["status"] == "available"

The services' fixtures are ``filesender``, ``smartfile``, ``nrp``, ``perseus`` and ``jetstream``.

**Canned responses**, for tests of single method calls::

    import responses
    from smartxfer.testing import canned

    @responses.activate
    def test_nothing_is_sent_when_the_site_is_full():
        canned.load("upload_workflow", "failure")
        ...

Both need ``pip install "smartxfer[testing]"``.
"""
