"""For tests of scripts that use smartxfer: a real server on loopback, or canned answers.

**A server**, for tests that move files.  Register the plug-in in the top ``conftest.py``::

    pytest_plugins = ["smartxfer.testing.plugin"]

and ask for the fixture of a service; scripts that read their settings from the environment find it, too::

    def test_report_is_sent(filesender):
        client, server = filesender
        server.fault("filesender", "PUT /rest.php/file/*/chunk/*", "reset-after 1K")
        my_script.send_report(client)
        assert server.filesender.transfers()[0]["status"] == "available"

The services' fixtures are ``filesender``, ``smartfile``, ``nrp``, ``perseus`` and ``jetstream``.

**Canned answers**, for tests of single calls, by the client's method::

    import responses
    from smartxfer.testing import canned

    @responses.activate
    def test_nothing_is_sent_when_the_site_is_full():
        canned.load("upload_workflow", "failure")
        ...

Both need ``pip install "smartxfer[testing]"``.
"""
