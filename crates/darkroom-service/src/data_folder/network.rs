//! Whether a folder lies on a file system of the network.

use std::fs::File;
use std::io;

/// Returns the name of the network file system that a folder lies on; `None` if it lies on a local one.
#[cfg(target_os = "linux")]
pub(super) fn network_file_system(folder: &File) -> io::Result<Option<String>> {
    let magic = rustix::fs::fstatfs(folder)?.f_type;
    // The types are 32 bits wide, in fields of different width and sign.
    let magic = magic as u32;
    if let Some((_, name)) = NETWORK_MAGICS.iter().find(|(network, _)| *network == magic) {
        return Ok(Some((*name).to_owned()));
    }
    if magic != FUSE_MAGIC {
        return Ok(None);
    }
    // Behind FUSE anything may lie; the table of mounts tells what.
    let device = rustix::fs::fstat(folder)?.st_dev;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    Ok(mount_kind(&mounts, &format!("{major}:{minor}"))
        .filter(|kind| is_network_fuse(kind))
        .map(str::to_owned))
}

/// Other systems are not asked yet: the operator must know.
#[cfg(not(target_os = "linux"))]
pub(super) fn network_file_system(_folder: &File) -> io::Result<Option<String>> {
    Ok(None)
}

/// `f_type` of the file systems of the network (statfs(2), linux/magic.h).
#[cfg(target_os = "linux")]
const NETWORK_MAGICS: [(u32, &str); 10] = [
    (0x6969, "nfs"),
    (0x517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "afs"),
    (0x7375_7245, "coda"),
    (0x00c3_6400, "ceph"),
    (0x0bd0_0bd0, "lustre"),
    (0x564c, "ncp"),
];

#[cfg(target_os = "linux")]
const FUSE_MAGIC: u32 = 0x6573_5546;

/// Returns the kind of the file system that is mounted as this device, `major:minor`.
#[cfg(any(target_os = "linux", test))]
fn mount_kind<'a>(mounts: &'a str, device: &str) -> Option<&'a str> {
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device))?;
    // A dash ends the optional fields; the kind follows.
    mount.split_once(" - ")?.1.split(' ').next()
}

/// Kinds of FUSE whose files lie elsewhere.
#[cfg(any(target_os = "linux", test))]
const NETWORK_FUSES: [&str; 17] = [
    "sshfs",
    "rclone",
    "s3fs",
    "gcsfuse",
    "goofys",
    "geesefs",
    "mount-s3",
    "mountpoint-s3",
    "blobfuse",
    "blobfuse2",
    "davfs",
    "davfs2",
    "curlftpfs",
    "glusterfs",
    "ceph",
    "ceph-fuse",
    "juicefs",
];

/// Says whether a kind such as `fuse.sshfs` lies elsewhere.
#[cfg(any(target_os = "linux", test))]
fn is_network_fuse(kind: &str) -> bool {
    kind.strip_prefix("fuse.").is_some_and(|name| NETWORK_FUSES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_mount_is_found_by_its_device() {
        let mounts = "22 28 0:21 / /sys rw,nosuid - sysfs sysfs rw\n\
                      29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      40 29 0:52 / /mnt/far\\040away rw shared:7 master:1 - fuse.sshfs host:/x rw,user_id=0\n";
        assert_eq!(mount_kind(mounts, "8:1"), Some("ext4"));
        assert_eq!(mount_kind(mounts, "0:52"), Some("fuse.sshfs"));
        assert_eq!(mount_kind(mounts, "0:5"), None);
        assert!(is_network_fuse("fuse.sshfs"));
        assert!(!is_network_fuse("fuse.mergerfs") && !is_network_fuse("fuseblk"));
    }

    #[test]
    fn the_folder_of_the_tests_is_local() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(network_file_system(&File::open(folder.path()).unwrap()).unwrap(), None);
    }
}
