// Zipf's law: the k-th item has a share in proportion to 1 / k^exponent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/**
 * Divides `total` into `parts`: each part gets one, and the rest is divided by Zipf's law, as
 * closely as whole numbers allow.
 *
 * @param total at least `parts`
 * @param exponent 0 for equal parts; if `total` is not divisible, some parts get one more
 * @returns the size of each part, the largest first
 */
std::vector<std::uint64_t> dealByZipf(std::uint64_t total, std::size_t parts, double exponent);

}  // namespace bench
