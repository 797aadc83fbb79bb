// The little JSON that a load generator needs: quoting, and finding values without decoding.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bench {

/** Quotes and escapes text (UTF-8) as a JSON string. */
std::string jsonQuote(std::string_view text);

/**
 * Cuts the first elements of a JSON array out of `text`, each as its raw JSON.
 *
 * @param elements filled in order; the array must have at least as many
 * @returns false where `text` is no array of that many elements
 */
bool jsonElements(std::string_view text, std::span<std::string_view> elements);

/** Raw JSON of a member of an object, or nothing where it has none (or is no object). */
std::optional<std::string_view> jsonMember(std::string_view object, std::string_view name);

/** The inside of a raw JSON string, escapes left as they are; nothing for another kind. */
std::optional<std::string_view> jsonStringBody(std::string_view raw);

/** A raw JSON number without sign, fraction or exponent; nothing for anything else. */
std::optional<std::uint64_t> jsonUnsigned(std::string_view raw);

}  // namespace bench
