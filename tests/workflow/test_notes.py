"""What a job wants said is on the terminal, once, whether it ended well or not."""

import logging

import notes


def test_the_notes_of_a_job_are_repeated_when_it_ends(tmp_path, capsys):
    log = tmp_path / "pets.log"
    log.write_text("packed 5\nnote: 3 images left out\x1b[31m\na line that has note: in it\nnote: two\n")
    handler = notes.Notes()
    for kind, jobid in (("job_finished", "job_id"), ("job_error", "jobid")):
        for event, name in (("job_info", "jobid"), (kind, jobid)):
            values = {"event": event, name: 7, "rule_msg": "store pets", "rule_name": "x", "log": [str(log)]}
            handler.handle(logging.makeLogRecord(values))
        handler.handle(logging.makeLogRecord({"event": kind, jobid: 7}))
        assert capsys.readouterr().err.splitlines() == [
            "store pets: 3 images left out\\x1b[31m", "store pets: two",
        ]  # fmt: skip
    assert notes.lines(tmp_path / "none.log") == []
