from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("proctoring", "0008_bulk_more")]

    operations = [
        migrations.AddField(
            model_name="deletioncertificate",
            name="unclear",
            field=models.JSONField(default=dict, verbose_name="unclear places"),
        ),
    ]
