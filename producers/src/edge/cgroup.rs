//! The texts of Linux control group files, versions 2 and 1. Pure.
//!
//! Formats: kernel documentation, `admin-guide/cgroup-v2` and `admin-guide/cgroup-v1`.

/// A v1 limit at or above this many bytes is the kernel's way of saying none.
const V1_NO_LIMIT: u64 = 1 << 62;

/// The group of this process in a hierarchy, from `/proc/self/cgroup`: of a v1 controller, or of v2 where `controller`
/// is `None`. A path, beginning with a slash.
pub(super) fn own_group<'a>(text: &'a str, controller: Option<&str>) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let ours = match controller {
            None => number == "0" && controllers.is_empty(),
            Some(wanted) => controllers.split(',').any(|c| c == wanted),
        };
        (ours && path.starts_with('/')).then_some(path)
    })
}

/// Cores that v2's `cpu.max` grants; `None`: no limit.
pub(super) fn cpu_max(text: &str) -> Option<f64> {
    let mut parts = text.split_whitespace();
    let quota = parts.next()?;
    let period = parts.next().unwrap_or("100000");
    cores(quota, period)
}

/// Cores that v1's `cpu.cfs_quota_us` and `cpu.cfs_period_us` grant; `None`: no limit (-1).
pub(super) fn cores(quota_us: &str, period_us: &str) -> Option<f64> {
    let quota = quota_us.trim().parse::<u64>().ok().filter(|q| *q > 0)?;
    let period = period_us.trim().parse::<u64>().ok().filter(|p| *p > 0)?;
    Some(quota as f64 / period as f64)
}

/// Number of CPUs in a list such as `0-3,8`; `None` where it is empty or no list.
pub(super) fn cpu_count(list: &str) -> Option<u32> {
    let count = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    list.trim().split(',').map(count).try_fold(0u32, |sum, n| sum.checked_add(n?))
}

/// Bytes that v2's `memory.max` or v1's `memory.limit_in_bytes` grants; `None`: no limit.
pub(super) fn memory_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes > 0 && *bytes < V1_NO_LIMIT)
}

/// A whole number that stands alone in a file.
pub(super) fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The value of a key in a flat keyed file such as `cpu.stat` or `memory.stat`.
pub(super) fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_own_group_is_found_in_v2_v1_and_hybrid() {
        assert_eq!(own_group("0::/user.slice/a b.service\n", None), Some("/user.slice/a b.service"));
        let v1 = "9:name=systemd:/\n4:memory:/docker/abc\n1:cpu,cpuacct:/docker/x:y\n0::/\n";
        assert_eq!(own_group(v1, Some("memory")), Some("/docker/abc"));
        assert_eq!(own_group(v1, Some("cpuacct")), Some("/docker/x:y"));
        assert_eq!(own_group(v1, Some("pids")), None);
        assert_eq!(own_group(v1, None), Some("/"));
    }

    #[test]
    fn limits_are_read_and_no_limit_is_none() {
        assert_eq!(cpu_max("50000 100000\n"), Some(0.5));
        assert_eq!(cpu_max("250000 100000"), Some(2.5));
        assert_eq!(cpu_max("max 100000\n"), None);
        assert_eq!(cpu_max(""), None);
        assert_eq!(cores("150000\n", "100000\n"), Some(1.5));
        assert_eq!(cores("-1\n", "100000\n"), None);
        assert_eq!(memory_limit("536870912\n"), Some(536_870_912));
        assert_eq!(memory_limit("max\n"), None);
        assert_eq!(memory_limit("9223372036854771712\n"), None);
        assert_eq!(cpu_count("0-3,8\n"), Some(5));
        assert_eq!(cpu_count("\n"), None);
        assert_eq!(cpu_count("3-1"), None);
    }

    #[test]
    fn keys_are_found_whole() {
        let stat = "usage_usec 1234567\nuser_usec 1\nnr_periods 0\n";
        assert_eq!(keyed(stat, "usage_usec"), Some(1_234_567));
        assert_eq!(keyed(stat, "usec"), None);
        assert_eq!(keyed("total_inactive_file x\n", "total_inactive_file"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}", lines in "[0-9a-z:/,\n -]{0,80}") {
            for text in [text, lines] {
                prop_assert!(cpu_max(&text).is_none_or(|c| c > 0.0 && c.is_finite()));
                prop_assert!(memory_limit(&text).is_none_or(|b| b > 0));
                cpu_count(&text);
                keyed(&text, "usage_usec");
                own_group(&text, Some("cpu"));
            }
        }
    }
}
