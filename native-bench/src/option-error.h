// An option that cannot be used.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace bench {

/** An option that cannot be used; `what()` is one line: subject, must, unit, got. */
class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/** Text as errors show what was given. */
inline std::string quoted(std::string_view text) { return "`" + std::string(text) + "`"; }

}  // namespace bench
