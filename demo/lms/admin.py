"""The LMS's own rows in the admin."""

from django.contrib import admin

from demo.lms.models import Answer, Course, CreditRequirement, Enrollment, GradeOverride, Question

admin.site.register(Course, list_display=("title", "slug"))
admin.site.register(Enrollment, list_display=("user", "course", "role"))
admin.site.register(Question, list_display=("content_id", "position", "text"), list_filter=("course", "content_id"))
admin.site.register(Answer, list_display=("user", "question", "text", "sitting"), list_filter=("question__content_id",))
admin.site.register(CreditRequirement, list_display=("user", "course", "content_id", "status"))
admin.site.register(GradeOverride, list_display=("user", "course", "content_id"))
