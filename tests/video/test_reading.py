import errno
from pathlib import Path

from primatrix.video.reading import explain_reading, is_away, may_pass


def test_disks_networks_and_permissions_may_pass_and_bad_data_does_not() -> None:
    passing = (errno.EIO, errno.EACCES, errno.ENOENT, errno.ENODEV, errno.ETIMEDOUT, errno.EMFILE)
    assert all(may_pass(OSError(number, "")) for number in passing)
    assert not any(may_pass(OSError(number, "")) for number in (errno.EINVAL, errno.ENOSPC, errno.EISDIR))
    assert not may_pass(ValueError("no video"))


def test_an_error_of_libav_is_the_disks_only_where_the_file_cannot_be_read_through(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(3 << 20))
    damage = OSError(errno.EIO, "Input/output error")  # libav says so of some damage, too
    assert not is_away(path, damage)
    path.unlink()
    assert is_away(path, damage)
    assert not is_away(path, OSError(errno.EINVAL, "Invalid argument"))


def test_a_reason_is_said_in_words() -> None:
    assert (
        explain_reading(PermissionError(errno.EACCES, "Permission denied"))
        == "not readable: Permission denied"
    )
