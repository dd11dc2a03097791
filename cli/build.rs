//! How the binary is linked.
//!
//! An edge agent runs on small hosts. A list of the places that the loader has to relocate is 1.8 MiB, read whole at each start;
//! packed (RELR) it is a few KiB. glibc 2.36 and later can read it, and every linker of these years can write it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let of_target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if of_target("OS") == "linux" && of_target("ENV") == "gnu" {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
