//! How the binary is linked.
//!
//! An edge agent runs on small hosts. The list of places that the loader relocates is 1.8 MiB, read whole at each start; packed
//! (RELR) it is some KiB. The glibc of a program must be 2.36 or later for that, and one that is built here is made for the
//! glibc here or a later one.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let of_target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let at_home = env::var("HOST").is_ok_and(|host| env::var("TARGET").is_ok_and(|target| host == target));
    if at_home && of_target("ENV") == "gnu" && glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Version of the C library here.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
