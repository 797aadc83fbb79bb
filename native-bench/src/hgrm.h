// HdrHistogram's percentile distribution (.hgrm), in milliseconds, as read by its plotters.
//
//          Value     Percentile TotalCount 1/(1-Percentile)
//
//          0.074 0.500000000000      10012           2.00
//   ...
//          1.908 1.000000000000      20000
//   #[Mean    =        0.081, StdDeviation   =        0.066]
//   #[Max     =        1.908, Total count    =        20000]
//   #[Buckets =           36, SubBuckets     =          128]
//
// There are five lines per halving of the distance to 100 %, until all values are counted.
#pragma once

#include <string>

#include "histogram.h"

namespace bench {

/** Returns the text of the file; only a header and a footer if the histogram is empty. */
std::string makeHgrm(const Histogram& times);

}  // namespace bench
