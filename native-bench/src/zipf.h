// Zipf's law: the k-th of several has a share in proportion to 1 / k^exponent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/**
 * Deals `total` things to `parts`: one to each, and the rest by Zipf's law, as exactly as whole
 * numbers can.
 *
 * @param total at least `parts`
 * @param exponent 0 for equal parts; where they cannot be equal, some get one more
 * @returns the number for each, the largest first
 */
std::vector<std::uint64_t> dealByZipf(std::uint64_t total, std::size_t parts, double exponent);

}  // namespace bench
