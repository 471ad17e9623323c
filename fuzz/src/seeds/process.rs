use crate::operations;

/// Envelopes of every kind, and lists of operations.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = vec![("foundation", operations::foundation())];
    let wanted = ["commands", "dependent", "fetched", "integrated", "severed", "written", "encrypted"];
    seeds.extend(super::suit::seeds().into_iter().filter(|(name, _)| wanted.contains(name)));
    let lists = ["operations-0", "operations-1", "operations-2", "operations-3", "operations-4", "operations-5"];
    for (number, name) in (1_u64..).zip(lists) {
        // No envelope begins with this byte.
        let mut list = vec![1];
        let mut state = number;
        list.extend((0..120 * number).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        }));
        seeds.push((name, list));
    }
    seeds
}
