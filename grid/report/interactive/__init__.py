"""Charts that readers explore on the report page: their numbers, and the scripts that draw them with Apache ECharts."""
